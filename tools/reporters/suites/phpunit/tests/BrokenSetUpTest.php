<?php
use PHPUnit\Framework\TestCase;

final class BrokenSetUpTest extends TestCase
{
    public static function setUpBeforeClass(): void
    {
        throw new RuntimeException('set-up of the class failed');
    }

    public function testSetup(): void
    {
        $this->assertTrue(true);
    }
}
