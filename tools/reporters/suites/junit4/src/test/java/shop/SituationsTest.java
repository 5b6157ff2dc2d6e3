package shop;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import org.junit.Ignore;
import org.junit.Test;

public class SituationsTest {
    private static int calls;

    @Test
    public void hostile() throws Exception {
        fail(new String(Files.readAllBytes(Paths.get("hostile.txt")), StandardCharsets.UTF_8));
    }

    @Test
    public void pass() {}

    @Test
    public void fails() {
        assertEquals(1, 2);
    }

    @Test
    public void error() {
        throw new IllegalStateException("not an assertion");
    }

    @Test
    @Ignore("not on this machine")
    public void skip() {}

    @Test
    public void retry() {
        assertEquals(2, ++calls);
    }

    @Test(timeout = 200)
    public void timeout() throws Exception {
        Thread.sleep(30_000);
    }
}
