import static org.testng.Assert.assertEquals;
import static org.testng.Assert.fail;

import java.nio.file.Files;
import java.nio.file.Path;
import org.testng.IRetryAnalyzer;
import org.testng.ITestResult;
import org.testng.SkipException;
import org.testng.annotations.DataProvider;
import org.testng.annotations.Test;

public class SituationsTest {
    public static class Once implements IRetryAnalyzer {
        private boolean used;

        public boolean retry(ITestResult result) {
            boolean again = !used;
            used = true;
            return again;
        }
    }

    private static int calls;

    @Test
    public void hostile() throws Exception {
        fail(new String(Files.readAllBytes(Path.of("hostile.txt")), "UTF-8"));
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
    public void skip() {
        throw new SkipException("not on this machine");
    }

    @Test(retryAnalyzer = Once.class)
    public void retry() {
        assertEquals(++calls, 2);
    }

    @DataProvider
    public Object[][] numbers() {
        return new Object[][] {{1}, {2}};
    }

    @Test(dataProvider = "numbers")
    public void twins(int number) {
        assertEquals(number, 2);
    }

    @Test(timeOut = 200)
    public void timeout() throws Exception {
        Thread.sleep(30_000);
    }
}
