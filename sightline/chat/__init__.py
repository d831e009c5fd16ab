"""Questions and answers in the words of OpenAI's clients, and as pieces while they come."""
