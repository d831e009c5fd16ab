"""What turns sources into jobs, and shows people what became of them."""
