"""Cameras that say what they are: found in the network by WS-Discovery, asked for their streams by ONVIF."""
