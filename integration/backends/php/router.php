<?php
// The router script of php -S, which names the router itself as the script
// where it finds none for the path: those paths are the front controller's.

if ($_SERVER['SCRIPT_FILENAME'] !== __FILE__) {
    return false;
}
require $_SERVER['DOCUMENT_ROOT'] . '/index.php';
