"""The way to the database: transactions, errors, pages, many rows at once, and who acts."""
