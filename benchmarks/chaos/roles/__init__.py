"""The processes under test, and who stands at both ends of them."""
