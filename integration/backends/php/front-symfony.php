<?php
// Symfony's kernel and router.

use Symfony\Component\EventDispatcher\EventDispatcher;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\RequestStack;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Controller\ArgumentResolver;
use Symfony\Component\HttpKernel\Controller\ControllerResolver;
use Symfony\Component\HttpKernel\EventListener\RouterListener;
use Symfony\Component\HttpKernel\Exception\BadRequestHttpException;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;
use Symfony\Component\HttpKernel\HttpKernel;
use Symfony\Component\Routing\Matcher\UrlMatcher;
use Symfony\Component\Routing\RequestContext;
use Symfony\Component\Routing\Route;
use Symfony\Component\Routing\RouteCollection;

require '/usr/share/php/Symfony/Component/HttpKernel/autoload.php';
require '/usr/share/php/Symfony/Component/Routing/autoload.php';

$collection = new RouteCollection();
foreach ($routes as $name => [$literal, $open]) {
    $controller = ['_controller' => static function (?string $rest = null) use ($name, &$captured): Response {
        $captured = $rest;
        return new Response($name);
    }];
    $collection->add($name, new Route($literal, $controller));
    if ($open) {
        $collection->add($name . ' below', new Route($literal . '/{rest}', $controller, ['rest' => '.*']));
    }
}
$stack = new RequestStack();
$dispatcher = new EventDispatcher();
$dispatcher->addSubscriber(new RouterListener(new UrlMatcher($collection, new RequestContext()), $stack));
$kernel = new HttpKernel($dispatcher, new ControllerResolver(), $stack, new ArgumentResolver());
try {
    $app = 'route ' . $kernel->handle(Request::createFromGlobals())->getContent();
} catch (BadRequestHttpException) { // such as a Host that it does not believe: no page is asked for
    http_response_code(400);
    exit('Symfony refuses the request');
} catch (HttpExceptionInterface | UnexpectedValueException $e) {
    $app = 'route none';
}
require $echo;
