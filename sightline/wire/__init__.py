"""What is said between processes: messages, events, and what a model or a dead letter says of itself."""
