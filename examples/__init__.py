"""Runnable examples, and the pretrained classifier of the demo."""
