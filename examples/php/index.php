<?php
// Shows what PHP gets of a request.
header('Content-Type: text/plain; charset=utf-8');
echo '$_GET: ', json_encode((object) $_GET, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
foreach (['REQUEST_URI', 'HTTP_X_VERIFIED_USER', 'REMOTE_USER'] as $name) {
    echo $name, ': "', $_SERVER[$name] ?? '', "\"\n";
}
