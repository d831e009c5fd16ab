"""Addresses in settings, looked at once, when they are read: what is wrong is said here, and not by a driver that
knows no setting. No part of a password is in any text.
"""
