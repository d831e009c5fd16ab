"""Events as other systems send them, for receivers that were written for those."""
