// Command fuzz sends mutated links through the gateway to real applications and
// stops at nothing but its time: every request that an application answered is held
// against the promise, which it judges with a reference of its own that shares no
// code with the gateway.
//
//	go run ./integration/fuzz -duration 2m [-seed N] [-backend fpm,phps,apache,tomcat,tomcat9,front,symfony]
//	    [-profile strict,php,servlet] [-mode require,recognize,errors,pass,observe]
//	    [-kind user,akid,…]
//	    [-save dir] [-case N]
//
// Case N of a seed is the same request in every run. A violation is printed with the
// bytes of the smallest request that shows it, and written to the folder of -save as
// one line for testdata/regressions.jsonl, which every run replays first.
//
// With -draw it draws the configuration, too, and asks the application what came of it:
// see README.md.
package main
