"""The interface that OpenAI's clients speak: chat completions and models, with errors as these clients show them."""
