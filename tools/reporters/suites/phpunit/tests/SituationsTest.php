<?php
use PHPUnit\Framework\TestCase;

final class SituationsTest extends TestCase
{
    protected function setUp(): void
    {
        if ($this->getName(false) === 'testSetup') {
            throw new RuntimeException('set-up failed');
        }
    }

    protected function tearDown(): void
    {
        if ($this->getName(false) === 'testTeardown') {
            throw new RuntimeException('tear-down failed');
        }
    }

    /** @dataProvider hostileNames */
    public function testHostile(int $number): void
    {
        $this->fail(file_get_contents('hostile.txt'));
    }

    public static function hostileNames(): array
    {
        return ['<b>&"]]> 😀 #1' => [1]];
    }

    public function testPass(): void
    {
        $this->assertTrue(true);
    }

    public function testFail(): void
    {
        $this->assertSame(1, 2);
    }

    public function testError(): void
    {
        throw new RuntimeException('not an assertion');
    }

    public function testSkip(): void
    {
        $this->markTestSkipped('not on this machine');
    }

    /** @dataProvider numbers */
    public function testTwins(int $number): void
    {
        $this->assertSame(2, $number);
    }

    public static function numbers(): array
    {
        return [[1], [2]];
    }

    public function testSetup(): void
    {
        $this->assertTrue(true);
    }

    public function testTeardown(): void
    {
        $this->assertTrue(true);
    }
}
