<?php
// The routes of all front controllers: name => path, and whether all below it is
// the route, too; $captured is what stands below it then. Those of /app are the
// protected ones, and those of the last four what links in the path lead to.

$captured = null;
$routes = [
    'login' => ['/app/login', false],
    'app' => ['/app', true],
    'public' => ['/public', true],
    'u' => ['/u', true],
    'v' => ['/v', true],
    'w' => ['/w', true],
    'files' => ['/files', true],
    'index' => ['/', false],
];
