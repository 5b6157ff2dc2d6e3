import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class BrokenClassTest {
    @BeforeAll
    static void fails() {
        throw new IllegalStateException("set-up of the class failed");
    }

    @Test
    void setup() {}
}
