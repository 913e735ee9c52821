<?php
// The routes of all front controllers: name => path, and whether all below it is
// the route, too. Those of /app are the protected ones.

$routes = [
    'login' => ['/app/login', false],
    'app' => ['/app', true],
    'public' => ['/public', true],
    'index' => ['/', false],
];
