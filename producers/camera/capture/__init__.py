"""From a source's pictures to the ones worth a frame."""
