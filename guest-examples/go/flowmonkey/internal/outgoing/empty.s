// Functions without a body, which the host supplies, need a file in assembler on other systems: there
// editors and `go vet` can then read the package, though nothing can be linked.
