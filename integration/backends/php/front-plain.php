<?php
// The idiom of countless small front controllers: the path of REQUEST_URI, as
// parse_url() finds it.

$path = rawurldecode((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
$app = 'route none';
foreach ($routes as $name => [$literal, $open]) {
    if ($path === $literal || $open && str_starts_with($path, $literal . '/')) {
        $app = 'route ' . $name;
        $captured = $open && $path !== $literal ? substr($path, strlen($literal) + 1) : null;
        break;
    }
}
require $echo;
