// Package integration tests the gateway in front of real applications.
package integration
