<?php
// Slim 3.

require '/usr/share/php/Slim/autoload.php';

$app = 'route none';
$slim = new Slim\App();
foreach ($routes as $name => [$literal, $open]) {
    $slim->any($literal . ($open ? '[/{rest:.*}]' : ''), function ($request, $response, $arguments) use ($name, &$app, &$captured) {
        $app = 'route ' . $name;
        $captured = $arguments['rest'] ?? null;
        return $response;
    });
}
$slim->run(true);
require $echo;
