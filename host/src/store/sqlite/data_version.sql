-- Changes when another connection, of this or another program, has written.
pragma data_version
