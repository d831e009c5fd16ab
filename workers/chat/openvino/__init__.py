"""Models of OpenVINO GenAI on this machine, in a process of their own."""
