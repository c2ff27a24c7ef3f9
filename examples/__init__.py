"""Runnable examples, and the pretrained classifier used by the demo."""
