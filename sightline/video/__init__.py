"""The one reader of video, for files that are submitted and for cameras. It needs PyAV, the extra `video`."""
