/* A file with nothing in it: the header under test is the compiler's -include. */
