"""A release: `python -m deploy.release` builds wheel, images, lists of what is in them and notes, as a git tag says."""
