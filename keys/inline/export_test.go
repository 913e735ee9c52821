package inline

// Provision is Source.Provision with a logger of the test's.
var Provision = (*Source).provision
