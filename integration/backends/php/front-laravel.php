<?php
// Laravel's request and router.

use Illuminate\Container\Container;
use Illuminate\Events\Dispatcher;
use Illuminate\Http\Request;
use Illuminate\Routing\Router;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

require '/usr/share/php/Illuminate/Http/autoload.php';
require '/usr/share/php/Illuminate/Events/autoload.php';
require '/usr/share/php/Illuminate/Routing/autoload.php';

$container = new Container();
$router = new Router(new Dispatcher($container), $container);
foreach ($routes as $name => [$literal, $open]) {
    $router->any($literal, static fn (): string => $name);
    if ($open) {
        $router->any($literal . '/{rest}', static function (string $rest) use ($name, &$captured): string {
            $captured = $rest;
            return $name;
        })->where('rest', '.*');
    }
}
try {
    $app = 'route ' . $router->dispatch(Request::capture())->getContent();
} catch (HttpExceptionInterface | Symfony\Component\HttpFoundation\Exception\RequestExceptionInterface $e) {
    $app = 'route none';
}
require $echo;
