<?php
// A front controller whose route is the parameter url, as a RewriteRule of
// index.php?url=$1 makes it of the path.

$path = '/' . trim((string) ($_GET['url'] ?? ''), '/');
$app = 'route none';
foreach ($routes as $name => [$literal, $open]) {
    if ($path === $literal || $open && str_starts_with($path, $literal . '/')) {
        $app = 'route ' . $name;
        $captured = $open && $path !== $literal ? substr($path, strlen($literal) + 1) : null;
        break;
    }
}
require $echo;
