import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class SituationsTest {
    @Test
    void hostile() throws Exception {
        fail(Files.readString(Path.of("hostile.txt")));
    }

    @Test
    void pass() {}

    @Test
    void fails() {
        assertEquals(1, 2);
    }

    @Test
    void error() {
        throw new IllegalStateException("not an assertion");
    }

    @Test
    @Disabled("not on this machine")
    void skip() {}

    @RepeatedTest(2)
    void twins(RepetitionInfo info) {
        assertEquals(2, info.getCurrentRepetition());
    }

    @Test
    @Timeout(value = 200, unit = TimeUnit.MILLISECONDS)
    void timeout() throws Exception {
        Thread.sleep(30_000);
    }

    @Nested
    class BrokenSetUp {
        @BeforeEach
        void fails() {
            throw new IllegalStateException("set-up failed");
        }

        @Test
        void setup() {}
    }

    @Nested
    class BrokenTearDown {
        @AfterEach
        void fails() {
            throw new IllegalStateException("tear-down failed");
        }

        @Test
        void teardown() {}
    }
}
