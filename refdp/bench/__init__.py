"""What training costs on this machine: samples per second and memory."""
