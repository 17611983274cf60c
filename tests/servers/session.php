<?php
// For `php -S`: /fast answers at once, and every other path keeps the session for `ms`. A cookie PHPSESSID names
// the session; without it, each request has one of its own.
if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) !== '/fast') {
    session_start();
    usleep(1000 * ($_GET['ms'] ?? 300));
}
echo "done\n";
