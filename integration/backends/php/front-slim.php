<?php
// Slim 3.

require '/usr/share/php/Slim/autoload.php';

$app = 'route none';
$slim = new Slim\App();
foreach ($routes as $name => [$literal, $open]) {
    $slim->any($literal . ($open ? '[/{rest:.*}]' : ''), function ($request, $response) use ($name, &$app) {
        $app = 'route ' . $name;
        return $response;
    });
}
$slim->run(true);
require $echo;
