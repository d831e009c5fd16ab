"""Training of Sightline's own weights from drawn pictures only. Not part of the wheel."""
