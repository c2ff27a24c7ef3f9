"""Two versions compared over a table: both explain every row, side by side, in one pass over the inputs."""
