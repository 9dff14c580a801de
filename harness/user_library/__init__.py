"""A TFLM that the user brings: an archive and include folders, read and checked before anything is built with them."""
