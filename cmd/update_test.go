package cmd_test

import "flag"

// update writes the expected texts anew: the outputs in the documents.
var update = flag.Bool("update", false, "write the golden files anew")
