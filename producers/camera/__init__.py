"""The camera process: turns cameras and video files into jobs. Start it with `python -m producers.camera`."""
