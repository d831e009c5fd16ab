"""What a worker does beside its work: progress is watched, old rows go, lost jobs come back."""
