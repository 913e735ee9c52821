// Package backends starts real applications for the integration tests: PHP-FPM,
// PHP's built-in server, Apache with PHP in it, and Tomcat 10 and 9, each on a free port (or socket) of the
// loopback interface and in a temporary directory of the test. Every one of
// them answers with what its application sees of the request; [Decode] reads
// that answer. The processes end with the test.
//
// Nothing skips: a program that is not installed fails the test (see [Require]).
package backends
