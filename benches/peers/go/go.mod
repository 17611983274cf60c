module holdup.example/peer

go 1.19
