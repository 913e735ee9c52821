<?php
// The path of PATH_INFO, as CodeIgniter and many of its time find it, or else of
// REQUEST_URI up to the query.

$path = (string) ($_SERVER['PATH_INFO'] ?? '');
if ($path === '') {
    $path = rawurldecode(explode('?', $_SERVER['REQUEST_URI'], 2)[0]);
}
$app = 'route none';
foreach ($routes as $name => [$literal, $open]) {
    if ($path === $literal || $open && str_starts_with($path, $literal . '/')) {
        $app = 'route ' . $name;
        $captured = $open && $path !== $literal ? substr($path, strlen($literal) + 1) : null;
        break;
    }
}
require $echo;
