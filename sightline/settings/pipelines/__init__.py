"""What the stages of single pipelines go by."""
