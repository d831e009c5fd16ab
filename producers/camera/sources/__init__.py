"""What a camera can be: streams, files, devices; each gives pictures with their times."""
