"""Any server that speaks the language of OpenAI, by its address."""
