"""ONNX: checkpoints exported with their taps, and run by ONNX Runtime."""
