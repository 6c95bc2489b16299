"""What an operator does about cameras: ``mingjing camera …``, one module to a command."""
