<?php
// Answers with what the application sees, as JSON. Every string, names
// included, is written as one code point (0..255) per byte, so that any bytes
// survive; maps are lists of [name, value] pairs, so that their order does.
// The including script sets $app, the name it answers under, or the route that ran, and
// $captured, what its router has found in the path for it.

$text = static fn (string $bytes): string => preg_replace_callback(
    '/[\x80-\xff]/',
    static fn (array $m): string => chr(0xC0 | ord($m[0]) >> 6) . chr(0x80 | ord($m[0]) & 0x3F),
    $bytes
);

$pairs = static function (array $values) use (&$pairs, $text): array {
    $list = [];
    foreach ($values as $name => $value) {
        $list[] = [$text((string) $name), is_array($value) ? $pairs($value) : $text((string) $value)];
    }
    return $list;
};

$server = array_filter($_SERVER, static fn ($name): bool => str_starts_with((string) $name, 'HTTP_') || in_array($name, [
    'REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'SCRIPT_NAME', 'SCRIPT_FILENAME', 'PHP_SELF', 'PATH_INFO',
    'DOCUMENT_URI', 'REMOTE_USER', 'REDIRECT_REMOTE_USER', 'REMOTE_ADDR', 'AUTH_TYPE', 'PHP_AUTH_USER', 'PHP_AUTH_PW', 'PHP_AUTH_DIGEST',
    'CONTENT_TYPE', 'CONTENT_LENGTH',
    'SERVER_NAME', 'SERVER_PROTOCOL', 'HTTPS',
], true), ARRAY_FILTER_USE_KEY);

// The body first: behind it there may be trailers.
$body = file_get_contents('php://input');

header('Content-Type: application/json');
header('X-Backend-Instance: ' . getenv('BACKEND_INSTANCE'));
echo json_encode([
    'backend' => php_sapi_name(),
    'app' => $text($app),
    'captured' => isset($captured) ? $text($captured) : null,
    'get' => $pairs($_GET),
    'post' => $pairs($_POST),
    'request' => $pairs($_REQUEST),
    'cookie' => $pairs($_COOKIE),
    'server' => $pairs($server),
    'allheaders' => function_exists('getallheaders') ? $pairs(getallheaders()) : null,
    'body' => base64_encode($body),
], JSON_THROW_ON_ERROR);
